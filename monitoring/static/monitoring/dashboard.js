// Fetches what changes and puts it in place. Without it the page reloads itself (noscript).
(function () {
  "use strict";
  var live = document.getElementById("live");
  var state = document.getElementById("state");
  var every = 10000;

  function say(text, isOld) {
    state.textContent = text;
    state.className = isOld ? "old" : "";
  }

  // Somebody who types, reads a table or has marked text is not disturbed.
  function isBusy() {
    var at = document.activeElement;
    return document.hidden || (at && live.contains(at) && at.tagName === "INPUT");
  }

  function refresh() {
    if (isBusy()) { return; }
    var open = Array.prototype.map.call(live.querySelectorAll("details"), function (d) { return d.open; });
    fetch("/dashboard/fragment/" + location.search, { credentials: "same-origin", redirect: "manual" })
      .then(function (answer) {
        if (answer.type === "opaqueredirect") { location.reload(); return null; }
        if (!answer.ok) { throw new Error(String(answer.status)); }
        return answer.text();
      })
      .then(function (html) {
        if (html === null || isBusy()) { return; }
        live.innerHTML = html;
        Array.prototype.forEach.call(live.querySelectorAll("details"), function (d, i) { d.open = !!open[i]; });
        say("Updated " + new Date().toLocaleTimeString(), false);
      })
      .catch(function () { say("No answer from this server: these figures are old.", true); });
  }

  setInterval(refresh, every);
  document.addEventListener("visibilitychange", function () { if (!document.hidden) { refresh(); } });
})();
