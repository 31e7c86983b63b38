"""Conversations that the gateway keeps: who may go on with one, what of it goes along, and that it is kept before it is told."""
