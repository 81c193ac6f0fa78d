// Times in the reader's own zone, and the time left to decide, second by second.
// Without this script the page says the same in UTC.

const clock = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
const near = new Intl.DateTimeFormat("en-GB", clock);
const far = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", ...clock });

function inWords(instant) {
  const today = new Date();
  if (instant.toDateString() === today.toDateString()) return `today, ${near.format(instant)}`;
  const tomorrow = new Date(today);
  tomorrow.setDate(today.getDate() + 1);
  if (instant.toDateString() === tomorrow.toDateString()) return `tomorrow, ${near.format(instant)}`;
  return far.format(instant);
}

for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = time.textContent;
  time.textContent = inWords(new Date(time.dateTime));
}

// Counted from when the page arrived: the clock of this device may be wrong, but it goes on in sleep.
const timer = document.querySelector("[data-seconds-left]");
const end = Date.now() + 1000 * Number(timer?.dataset.secondsLeft);

function tick() {
  const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
  timer.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left to decide`;
  timer.parentElement.classList.toggle("short", left <= 60);
  if (left > 0) {
    setTimeout(tick, 250);
    return;
  }
  timer.textContent = "Expired";
  document.querySelector("[data-passkey=approve]").disabled = true;
  document.getElementById("problem").textContent = "This request has expired. Nothing was approved. Start again on the device.";
}

if (timer) tick();
