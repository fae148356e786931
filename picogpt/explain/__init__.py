"""One HTML page on which a prompt can be followed through every operation. To read in this order:

trace.py: runs the model on a prompt and records what the page shows.
page.html, page.css: the boxes, their explanations, and how they look.
numbers.js, pictures.js, sampling.js, map.js, boxes.js: the numbers, their pictures, the sliders,
    the drawing of the model, and what fills each box.
assembly.py: makes one file of all these.
server.py: the same page with a field for the prompt, at an address of this machine.
"""
