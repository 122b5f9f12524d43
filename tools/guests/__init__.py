"""Boot Debian's kernels in qemu with this machine's root file system, and run commands in them.

python -m tools.guests 6.1 -- uname -a
"""
