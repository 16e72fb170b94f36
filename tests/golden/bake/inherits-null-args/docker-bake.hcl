target "a" {
  args = { A = "1" }
}
target "default" {
  inherits = ["a"]
  args = { A = null, B = null }
}
