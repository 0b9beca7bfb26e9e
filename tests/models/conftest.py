"""One thread for every test of the networks: small products gain nothing from more, and a busy computer loses by it."""

import torch

torch.set_num_threads(1)
