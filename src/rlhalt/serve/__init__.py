"""A server that stops where it stops being right: an OpenAI-compatible proxy that cuts responses at τ.

client ─► proxy ─► upstream (vLLM, llama.cpp's server, a hosted one)
client ◄─ cut at τ ◄─ fragments ◄─ text and log-probabilities

settings      what the command line says
start         the checks at start, and the server process
app           routes, limits, the page at /
asked         what a request asks for: its τ, and whether it can be scored
upstream      the connection to the upstream
whole, stream a response in one body, and as server-sent events
progress      one response on its way: text and tokens in, pieces of what is said out
settled       which fragments of an unfinished text are final
alignment     where tokens lie in a text
scoring       the probability that a fragment is right
wire          shapes of the API's bodies
json_edit     changes of a JSON text that leave every other byte as it is
metrics       counters for Prometheus
"""
