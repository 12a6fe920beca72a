"""Labels that hidden causes decide against labels that pixels decide: which of them does unsupervised pre-training help with?"""
