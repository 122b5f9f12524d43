"""(being written)"""


def function_of(run, image, start):
    return None
