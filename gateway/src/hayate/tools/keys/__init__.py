"""Commands about who may call and what was used: `hayate key …`, `hayate usage`, `hayate db …`. They work on the data
folder itself, whether a gateway runs on it or not; one that does follows within a second.
"""
