variable "N" {
  default = 5
  validation {
    condition = N > 1 && N < 10
    error_message = "N is 2 to 9"
  }
}
target "default" {
  args = { N = N }
}
