-- SPDX-License-Identifier: Apache-2.0
-- wrk's requests: the same target with the cookies of a file, one a line, in turn. Says at the end what it counted.

local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", wrk.path, { ["Host"] = wrk.headers["Host"], ["User-Agent"] = "bench", ["Accept"] = "*/*", ["Cookie"] = line })
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local wrong = summary.errors
  io.write(string.format('{"requests":%d,"micros":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n', summary.requests, summary.duration,
    wrong.status, wrong.connect + wrong.read + wrong.write + wrong.timeout, latency:percentile(50), latency:percentile(99)))
end
