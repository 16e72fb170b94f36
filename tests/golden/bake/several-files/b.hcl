target "x" {
  args = { B = T }
}
