-- Version 1 of the schema. A key's first byte is its space: k for the store's keys, d for what queues
-- remember of deduplication, x for when that may be forgotten.

create table meta (
	id         boolean primary key default true check (id),
	version    integer not null,
	last       bigint not null, -- the last number given to a commit, an append or a message
	forgotten  bigint not null  -- the last number whose change is no longer known
) with (fillfactor = 10);
insert into meta (version, last, forgotten) values (1, 0, 0);

create table kv (
	key   bytea primary key,
	value bytea not null
);
alter table kv alter column value set storage external;

-- Keys too long for an index. They are as unique as those of kv, by the committers' care.
create table kv_long (
	head  bytea not null, -- the first bytes of the key
	key   bytea not null,
	value bytea not null
);
alter table kv_long alter column value set storage external;
create index kv_long_head on kv_long (head);

-- What the latest commits wrote: for nodes to learn of.
create table change (
	last   bigint primary key, -- the last number of the commits
	node   uuid not null,
	made   timestamptz not null default now(),
	writes bytea not null
);
alter table change alter column writes set storage external;
create index change_made on change (made);

-- state: 0 ready, 1 delayed, 2 leased, 3 behind others of its group, or while one of them is leased.
-- Times are nanoseconds since 1970; 0 for never.
create table message (
	seq        bigint primary key,
	queue      bytea not null,
	id         uuid not null,
	grp        bytea not null, -- '' for none
	body       bytea not null,
	enqueued   bigint not null,
	expiry     bigint not null,
	state      smallint not null,
	at         bigint not null, -- when the delay or the lease ends
	nonce      bigint not null default 0, -- of the last lease
	deliveries integer not null default 0,
	first      bigint not null default 0  -- when it was leased first
);
alter table message alter column body set storage external;
create index message_ready on message (queue, seq) where state = 0;
create index message_due on message (queue, at) where state in (1, 2);
create index message_group on message (queue, grp, seq) where grp <> '';
create index message_group_leased on message (queue, grp) where grp <> '' and state = 2;
create index message_expiry on message (queue, expiry) where expiry > 0;

-- settle makes ready the first messages of groups of which none is leased.
create function settle(queues bytea[], groups bytea[]) returns void language sql as $$
	update message m set state = 0
	from (select distinct q, g from unnest(queues, groups) u (q, g)) u,
		lateral (select h.seq from message h where h.queue = u.q and h.grp = u.g and h.grp <> '' order by h.seq limit 1) head
	where m.seq = head.seq and m.state = 3
		and not exists (select from message l where l.queue = u.q and l.grp = u.g and l.grp <> '' and l.state = 2)
$$;

-- promote ends the delays and leases whose time is over, and removes what has expired. Rows that
-- somebody else is busy with are left to him.
create function promote(q bytea, now_at bigint) returns void language plpgsql as $$
declare
	touched bytea[];
begin
	if exists (select from message where queue = q and state in (1, 2) and at <= now_at) then
		with due as (
			select seq from message where queue = q and state in (1, 2) and at <= now_at for update skip locked
		), promoted as (
			update message m set state = case when m.grp = '' then 0 else 3 end from due where m.seq = due.seq returning m.grp
		)
		select array_agg(distinct grp) into touched from promoted where grp <> '';
		if touched is not null then
			perform settle(array_fill(q, array[cardinality(touched)]), touched);
		end if;
	end if;
	if exists (select from message where queue = q and expiry > 0 and expiry <= now_at) then
		with over as (
			select seq from message where queue = q and expiry > 0 and expiry <= now_at and state in (0, 3) for update skip locked
		), gone as (
			delete from message m using over where m.seq = over.seq returning m.grp
		)
		select array_agg(distinct grp) into touched from gone where grp <> '';
		if touched is not null then
			perform settle(array_fill(q, array[cardinality(touched)]), touched);
		end if;
	end if;
end $$;

-- receive leases messages. Those that were leased max_deliveries times already come as dead, leased
-- until burial_end for the caller to move. Where there are none, one row says when to look again.
create function receive(q bytea, queue_lock bigint, now_at bigint, lease_end bigint, burial_end bigint, most integer, max_deliveries integer, burials integer)
returns table (seq bigint, id uuid, grp bytea, body bytea, enqueued bigint, nonce bigint, deliveries integer, first bigint, dead boolean, next bigint)
language plpgsql as $$
#variable_conflict use_column
declare
	grouped boolean := exists (select from message m where m.queue = q and m.grp <> '');
	taken   bigint[] := '{}';
	buried  bigint[] := '{}';
	some_taken  bigint[];
	some_buried bigint[];
begin
	if grouped then
		perform pg_advisory_xact_lock(queue_lock);
	end if;
	perform promote(q, now_at);
	loop
		if grouped then
			with heads as (
				select m.seq, m.grp from message m where m.queue = q and m.state = 0 order by m.seq limit most + burials
			), ordered as (
				select h.seq from heads h where h.grp = ''
				union all
				select f.seq from heads h, lateral (
					select b.seq, bool_or(b.state = 1) over (order by b.seq) as cut
					from (select m.seq, m.state from message m where m.queue = q and m.grp = h.grp and m.grp <> '' and m.seq >= h.seq
						order by m.seq limit most + burials) b
				) f where h.grp <> '' and not f.cut
			), classed as (
				select o.seq, max_deliveries > 0 and m.deliveries >= max_deliveries as dead
				from ordered o join message m on m.seq = o.seq
			), counted as (
				select c.seq, c.dead,
					count(*) filter (where not c.dead) over before as alive_before,
					count(*) filter (where c.dead) over before as dead_before
				from classed c window before as (order by c.seq rows between unbounded preceding and 1 preceding)
			), chosen as (
				select m.seq, c.dead from message m join counted c on c.seq = m.seq
				where c.alive_before < most and c.dead_before < burials and m.state in (0, 3) for update of m skip locked
			), leased as (
				update message m set state = 2, nonce = floor(random() * 9e18)::bigint,
					at = case when c.dead then burial_end else lease_end end,
					deliveries = m.deliveries + case when c.dead then 0 else 1 end,
					first = case when c.dead or m.first > 0 then m.first else now_at end
				from chosen c where m.seq = c.seq returning m.seq, c.dead
			)
			select array_agg(l.seq) filter (where not l.dead), array_agg(l.seq) filter (where l.dead)
			into some_taken, some_buried from leased l;
		else
			with chosen as (
				select m.seq, max_deliveries > 0 and m.deliveries >= max_deliveries as dead
				from message m where m.queue = q and m.state = 0 and m.grp = '' order by m.seq limit most - cardinality(taken) for update skip locked
			), leased as (
				update message m set state = 2, nonce = floor(random() * 9e18)::bigint,
					at = case when c.dead then burial_end else lease_end end,
					deliveries = m.deliveries + case when c.dead then 0 else 1 end,
					first = case when c.dead or m.first > 0 then m.first else now_at end
				from chosen c where m.seq = c.seq returning m.seq, c.dead
			)
			select array_agg(l.seq) filter (where not l.dead), array_agg(l.seq) filter (where l.dead)
			into some_taken, some_buried from leased l;
		end if;
		taken := taken || coalesce(some_taken, '{}');
		buried := buried || coalesce(some_buried, '{}');
		exit when grouped or some_buried is null or cardinality(taken) >= most or cardinality(buried) >= burials;
	end loop;
	if cardinality(taken) + cardinality(buried) = 0 then
		return query select 0::bigint, null::uuid, null::bytea, null::bytea, 0::bigint, 0::bigint, 0, 0::bigint, false,
			coalesce((select min(m.at) from message m where m.queue = q and m.state in (1, 2)), 0);
		return;
	end if;
	return query select m.seq, m.id, m.grp, m.body, m.enqueued, m.nonce, m.deliveries, m.first, m.seq = any (buried), 0::bigint
		from message m where m.seq = any (taken || buried) order by m.seq;
end $$;
