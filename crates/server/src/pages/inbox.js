// Keeps the inbox up to date: the server names what is in it, and where that is not what is shown the list is
// fetched anew. Whoever is about to press a button keeps the focus.
'use strict'

const inbox = document.querySelector('[data-inbox]')
const title = document.title
const live = document.querySelector('[data-live]')

const showCount = () => {
  const count = Number(inbox.dataset.count)
  document.title = count > 0 ? `(${count}) ${title}` : title
}

const refresh = async () => {
  const answer = await fetch(inbox.dataset.inbox, { redirect: 'error', headers: { accept: 'text/html' } })
  if (!answer.ok) return
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  const fresh = page.querySelector('[data-inbox]')
  if (!fresh) return
  const focused = document.activeElement?.closest('form')?.getAttribute('action')
  inbox.replaceChildren(...fresh.childNodes)
  inbox.dataset.version = fresh.dataset.version
  inbox.dataset.count = fresh.dataset.count
  showCount()
  if (focused) inbox.querySelector(`form[action="${CSS.escape(focused)}"] button`)?.focus()
}

const events = new EventSource(`${inbox.dataset.inbox}/events`)
events.addEventListener('open', () => { live.hidden = false })
events.addEventListener('error', () => { live.hidden = events.readyState === EventSource.CLOSED })
events.addEventListener('inbox', (event) => {
  if (event.data !== inbox.dataset.version) refresh().catch(() => { /* the next event tries again */ })
})
// A hidden page waits too, but one that is left gives its connection back.
addEventListener('pagehide', () => events.close())
showCount()
