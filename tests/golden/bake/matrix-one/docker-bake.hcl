target "app" {
  matrix = {
    tgt = ["lint", "test"]
  }
  name = "app-${tgt}"
  target = tgt
}
