target "default" {
  args = { A = cidrhost("10.0.0.0/8", 5), B = cidrsubnet("10.0.0.0/8", 8, 1), C = cidrnetmask("10.0.0.0/12") }
}
