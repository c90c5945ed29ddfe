"""What vpbx costs and how fast it is, measured against its targets: `make bench`.

Each measurement starts its own server in a folder of its own, loads it with programs that
nobody here wrote (SIPp, wrk) and prints figures beside targets. Machines are noisy: compare
figures of one run with each other, not with those of another day.
"""
