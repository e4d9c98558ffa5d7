"""How the model came to be: data builders, losses, recipes, evaluation. The engine never imports this."""
