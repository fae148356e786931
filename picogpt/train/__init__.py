"""Training: the data, the optimizers, the learning rate, and the loop.

To read in this order: data.py, adamw.py, muon.py, schedule.py, averaging.py, randomness.py,
recipe.py, loop.py; parallel.py and frozen.py, its gradients; run_folder.py and log_line.py, what
it writes; prepare.py, init.py and options.py, how a run begins.
"""
