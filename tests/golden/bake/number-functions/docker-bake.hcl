target "default" {
  args = { A = max(1, 2), B = min([3, 2]...), C = floor(1.7), D = ceil(1.2), E = pow(2, 8), F = parseint("ff", 16), G = signum(-2), H = absolute(-1.5), I = int(2.9), J = modulo(7, 4) }
}
