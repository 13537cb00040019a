(() => {
	const main = document.querySelector('main');
	// What a person has unfolded stays so. A part is known by its job, its kind, its name, and which of these it is.
	const parts = () => {
		const seen = {}, found = [];
		for (const part of main.querySelectorAll('details')) {
			const job = part.closest('article'), name = part.querySelector('summary b');
			const key = [job && job.id, part.className.split(' ')[0], name && name.textContent].join('/');
			seen[key] = (seen[key] || 0) + 1;
			found.push([key + '/' + seen[key], part]);
		}
		return found;
	};
	const source = new EventSource('events');
	source.onmessage = async () => {
		const answer = await fetch('main');
		if (!answer.ok) return;
		const text = await answer.text();
		const open = new Map(parts().map(([key, part]) => [key, part.open]));
		main.innerHTML = text;
		for (const [key, part] of parts()) if (open.has(key)) part.open = open.get(key);
		document.title = main.querySelector('h1').textContent + ' – Glovebox';
	};
	source.addEventListener('end', () => {
		source.close();
		main.insertAdjacentHTML('afterbegin', '<p class="aside">The batch has ended, and with it this page: report.html in its directory says how.</p>');
	});
})();
