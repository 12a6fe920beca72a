"""Toys made of simple solids, and how they are seen: what `harmonium.data.toy_objects` draws."""
