"""What outlives single tasks and is garbage-collected: namespaces, images, pull secrets."""
