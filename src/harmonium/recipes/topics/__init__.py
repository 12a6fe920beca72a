"""Topics of documents: a replicated softmax beside latent Dirichlet allocation, and deep autoencoders of word counts."""
