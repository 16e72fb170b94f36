foo "x" {}
target "default" {
  bogus = 1
  platform = ["linux/amd64"]
  args {
    A = 1
  }
}
