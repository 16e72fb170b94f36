target "app" {
  labels = { a = "b" }
  contexts = { x = "y" }
}
