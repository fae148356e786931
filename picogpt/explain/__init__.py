"""One HTML page on which a prompt can be followed through every operation. To read in this order:

trace.py: a prompt goes through the model, and what the page shows is recorded.
page.html, page.css: the boxes, with what each is for, and how they look.
numbers.js, pictures.js, sampling.js, map.js, boxes.js: the numbers, their pictures, the sliders, the
    drawing of the model, and what fills each box.
assembly.py: one file from all of these.
server.py: the same page with a field for the prompt, at an address of this machine.
"""
