target "x" {
  args = { A = 1 }
}
