package event

// named holds values by their names. The few of an event lie in place, which costs no map and no memory of its own; what else
// somebody sends goes into a map, since looking through thousands one by one for each would stop everybody behind it.
type named[V any] struct {
	few  [12]entry[V]
	used int // of few
	more map[string]*V
}

type entry[V any] struct {
	name  string
	value V
}

// find gives the value of a name, to be read or changed; nil where there is none.
func (n *named[V]) find(name string) *V {
	for i := range n.few[:n.used] {
		if n.few[i].name == name {
			return &n.few[i].value
		}
	}
	return n.more[name]
}

// put adds a name that is not there yet.
func (n *named[V]) put(name string, value V) {
	if n.used < len(n.few) {
		n.few[n.used] = entry[V]{name, value}
		n.used++
		return
	}
	if n.more == nil {
		n.more = map[string]*V{}
	}
	kept := new(V) // the parameter itself would be on the heap in any case
	*kept = value
	n.more[name] = kept
}

// set gives a name a value, whether it has one or not.
func (n *named[V]) set(name string, value V) {
	if old := n.find(name); old != nil {
		*old = value
		return
	}
	n.put(name, value)
}

func (n *named[V]) drop(name string) {
	for i := range n.few[:n.used] {
		if n.few[i].name == name {
			n.used--
			n.few[i] = n.few[n.used]
			return
		}
	}
	delete(n.more, name)
}

// every tells whether the condition holds of all names and values, which come in no order.
func (n *named[V]) every(holds func(name string, value *V) bool) bool {
	for i := range n.few[:n.used] {
		if !holds(n.few[i].name, &n.few[i].value) {
			return false
		}
	}
	for name, value := range n.more {
		if !holds(name, value) {
			return false
		}
	}
	return true
}
