"""What commands do, once a person has typed them."""
