target "default" {
  args = { A = "<a> & b" }
  description = "<x>"
}
