target app {
  tags = ["x"]
}
