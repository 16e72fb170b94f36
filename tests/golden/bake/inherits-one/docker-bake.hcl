target "_common" {
  args = { A = 1, B = 2 }
  labels = { l = "x" }
  tags = ["x"]
}
target "default" {
  inherits = ["_common"]
  args = { B = 3 }
  tags = ["y"]
}
