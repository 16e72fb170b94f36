target "default" {
  args = { A = semvercmp("1.2.3", ">= 1.2"), B = semvercmp("2.0.0", "^1"), C = semvercmp("1.2.3", "~1.2 || ~3") }
}
