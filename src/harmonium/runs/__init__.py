"""Runs of recipes: their folders, their recorded outcomes, and what a recipe is."""
