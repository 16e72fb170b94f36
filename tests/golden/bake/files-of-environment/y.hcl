target "default" {
  args = { Y = 1 }
}
