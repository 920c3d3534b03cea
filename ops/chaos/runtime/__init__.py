"""Faults done to a daemon of the runtime on Apache Kafka, judged by what its handlers journaled.

scenario     one fault as a function: its docstring is what is promised, its run says whether that was kept
worker       the daemon, as a process of its own that is killed, stopped and paused
journal      what handlers began and ended, line by line, so that a kill loses none of it
figures      lost, run again, out of order, stalled: from topics, journals and commits alone
"""
