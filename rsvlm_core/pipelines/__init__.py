"""What a user asks for, a page each, composed of the other rooms."""
