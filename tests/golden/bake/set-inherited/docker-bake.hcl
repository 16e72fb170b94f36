target "base" {
  args = { A = 1 }
}
target "app" {
  inherits = ["base"]
}
