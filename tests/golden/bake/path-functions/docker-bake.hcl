target "default" {
  args = { A = basename("a/b/c"), B = dirname("a/b/c"), C = basename("x/"), D = dirname("x") }
}
