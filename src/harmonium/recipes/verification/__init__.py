"""Are two photographs of one person?"""
