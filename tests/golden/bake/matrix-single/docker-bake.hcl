target "app" {
  matrix = { v = ["x"] }
  name = "app"
  args = { V = v }
}
