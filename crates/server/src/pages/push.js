// Has this browser tell when something waits (Push API). The browser's permission is asked for when the button is
// pressed and never before.
'use strict'

const push = document.querySelector('[data-push]')
const button = push.querySelector('button')
const say = (words) => { push.querySelector('[role="status"]').textContent = words }

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0))

/** By which the server knows a subscription. */
const named = async (endpoint) => {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(endpoint))
  const text = btoa(String.fromCharCode(...new Uint8Array(digest)))
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

const activated = async (registration) => {
  const worker = registration.active ?? registration.waiting ?? registration.installing
  while (worker.state !== 'activated') {
    if (worker.state === 'redundant') throw new Error('the worker was not installed')
    await new Promise((done) => { worker.addEventListener('statechange', done, { once: true }) })
  }
}

const isOn = () => {
  button.hidden = true
  say('This browser tells you when something waits. You can turn that off under your account.')
}

const turnOn = async () => {
  if (await Notification.requestPermission() !== 'granted') {
    say('This browser does not let this page tell you. You can change that in its settings.')
    return
  }
  const registration = await navigator.serviceWorker.register(push.dataset.worker)
  await activated(registration)
  // One that was made for another key, or turned off under the account, would not do.
  await (await registration.pushManager.getSubscription())?.unsubscribe()
  const options = { userVisibleOnly: true, applicationServerKey: bytes(push.dataset.key) }
  const { endpoint, keys } = (await registration.pushManager.subscribe(options)).toJSON()
  const answer = await fetch(push.dataset.push, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ csrf: push.dataset.csrf, endpoint, p256dh: keys.p256dh, auth: keys.auth })
  })
  if (!answer.ok) throw new Error('the server did not take it')
  isOn()
}

const find = async () => {
  const registration = await navigator.serviceWorker.getRegistration(push.dataset.worker)
  const subscription = await registration?.pushManager.getSubscription()
  const known = push.dataset.known.split(' ')
  if (subscription && Notification.permission === 'granted' && known.includes(await named(subscription.endpoint))) isOn()
}

if ('serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window) {
  push.hidden = false
  button.addEventListener('click', () => {
    button.disabled = true
    const failed = () => say('This browser could not be set up to tell you. Try again later.')
    turnOn().catch(failed).finally(() => { button.disabled = false })
  })
  find().catch(() => { /* the button is there */ })
}
