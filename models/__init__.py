"""The networks: definitions, training, trained weights and their cards."""
