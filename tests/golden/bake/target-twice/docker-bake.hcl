target "a" {
  args = { A = 1 }
  tags = ["x"]
}
target "a" {
  args = { B = 2 }
  cache-from = ["r.io/a"]
}
