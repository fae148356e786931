"""What a teacher needs around the grades of a class.

To read in this order: roster.py, who should have handed in, what, and when; by_hand.py, points that
a person has changed; statistics.py, how each question went; similar.py, hand-ins that look alike;
exports.py, the grades for other programs.
"""
