target "app" {
  matrix = { v = ["1.2/3", "4 5"] }
  name = "app-${sanitize(v)}"
}
