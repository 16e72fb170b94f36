target "n" {
  matrix = { v = range(3) }
  name = "n${v}"
  args = { N = v * 2 }
}
