// A second tag on the same page, or a page that was injected twice: the first
// script goes on, this one ends here. The bundle's own try swallows the throw.

if ((window as any).PeopleTrackingSDK?.injected) throw 0;
