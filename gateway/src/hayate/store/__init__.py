"""What outlives the process: keys, and a record of every call, in one database."""
