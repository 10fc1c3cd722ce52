"""What was said before is said at once, and never wrongly: answers and their audio.

The parts that decide (normalise, canonical, judgement, cacheable, the index) take
time, texts and vectors as arguments and touch nothing outside.
"""
