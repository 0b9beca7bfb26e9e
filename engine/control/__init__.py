"""How what is turned reaches a parameter: OSC, controllers, the computer's keyboard."""
