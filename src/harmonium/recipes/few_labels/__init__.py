"""Features learnt without labels, and few labels to fine-tune them."""
