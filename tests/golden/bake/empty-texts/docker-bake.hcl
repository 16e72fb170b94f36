target "default" {
  tags = ["", "a", "", "a"]
  platforms = [""]
  dockerfile = ""
  target = ""
}
